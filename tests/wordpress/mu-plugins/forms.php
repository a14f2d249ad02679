<?php
/**
 * A form plugin in a nutshell: POST ?rest_route=/forms/v1/submit sends what it is told to an address, with WordPress's own HTTP
 * client, as form plugins do, and tells what came of it.
 *
 *   url      where to
 *   client   "plain" (wp_remote_request) or "safe" (wp_safe_remote_request)
 *   method   POST unless given
 *   format   "form": an array that WordPress encodes; "json": wp_json_encode
 *   fields   what is sent, nested as it likes
 *   headers  more headers
 *   trusted  the site's owner lets "safe" calls go to this machine and port
 */

add_action(
	'rest_api_init',
	static function () {
		register_rest_route(
			'forms/v1',
			'/submit',
			array(
				'methods'             => 'POST',
				'permission_callback' => '__return_true',
				'callback'            => 'leadgate_test_submit',
			)
		);
	}
);

function leadgate_test_submit( WP_REST_Request $form ) {
	$fields = $form['fields'] ?? array();
	$json   = 'json' === $form['format'];
	$call   = array(
		'method'  => $form['method'] ?? 'POST',
		'headers' => (array) ( $form['headers'] ?? array() ),
		'body'    => $json ? wp_json_encode( $fields ) : $fields,
	);
	if ( $json ) {
		$call['headers']['Content-Type'] = 'application/json; charset=UTF-8';
	}
	if ( $form['trusted'] ) {
		add_filter( 'http_request_host_is_external', '__return_true' );
		add_filter( 'http_allowed_safe_ports', static fn() => array( wp_parse_url( $form['url'], PHP_URL_PORT ) ) );
	}
	$send   = 'safe' === $form['client'] ? 'wp_safe_remote_request' : 'wp_remote_request';
	$begun  = microtime( true );
	$answer = $send( $form['url'], $call );
	return array(
		'seconds' => microtime( true ) - $begun,
		'error'   => is_wp_error( $answer ) ? $answer->get_error_message() : null,
		'status'  => wp_remote_retrieve_response_code( $answer ),
		'body'    => wp_remote_retrieve_body( $answer ),
	);
}
