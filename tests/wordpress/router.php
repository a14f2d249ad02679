<?php
// Every call to the built-in server is one to WordPress.

require __DIR__ . '/wp-config.php';
wp();
