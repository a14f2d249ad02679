<?php
// Makes the database and installs WordPress into it.

$database = new mysqli( 'localhost', 'root', '', '', 0, getenv( 'WORDPRESS_SOCKET' ) );
$database->query( 'CREATE DATABASE wordpress CHARACTER SET utf8mb4' );
$database->close();

define( 'WP_INSTALLING', true );
$_SERVER += array(
	'HTTP_HOST'       => parse_url( getenv( 'WORDPRESS_URL' ), PHP_URL_HOST ),
	'REQUEST_URI'     => '/',
	'SERVER_PROTOCOL' => 'HTTP/1.1',
);
require __DIR__ . '/wp-config.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';

// It has nobody to write to.
add_filter( 'pre_wp_mail', '__return_true' );
wp_install( 'Leadgate', 'admin', 'admin@site.example.org', false, '', wp_generate_password() );
