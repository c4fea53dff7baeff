<?php
// ?case= chooses one way to use header(); what is asked for must arrive at the client as php-fpm sends it.
switch ($_GET['case'] ?? '') {
    case 'multi':
        header('X-One: 1');
        header('X-One: 2', false);
        header('X-Two: first');
        header('X-Two: second');
        header('X-Gone: 1');
        header_remove('X-Gone');
        break;
    case 'status':
        http_response_code((int) $_GET['code']);
        break;
    case 'statusline':
        header('HTTP/1.1 418 Short And Stout');
        break;
    case 'statusheader':
        header('Status: 409 Conflict Of Interest');
        break;
    case 'location':
        header('Location: /elsewhere?x=1');
        break;
    case 'location-201':
        header('Location: /made/1', true, 201);
        break;
    case 'type':
        header('Content-Type: text/plain');
        break;
    case 'type-charset':
        header('Content-Type: text/x-thing; charset=iso-8859-1');
        break;
    case 'no-type':
        ini_set('default_mimetype', '');
        break;
    case 'not-modified':
        header('ETag: "abc"');
        http_response_code(304);
        exit;
    case 'no-content':
        http_response_code(204);
        exit;
    case 'authenticate':
        header('WWW-Authenticate: Basic realm="here"');
        http_response_code(401);
        break;
    case 'length':
        header('Content-Length: 5');
        echo "12345";
        exit;
    case 'many':
        for ($i = 0; $i < 60; $i++) {
            header("X-Many-$i: " . str_repeat(chr(97 + $i % 26), 40));
        }
        break;
    case 'callback':
        header_register_callback(static function () {
            header('X-From-Callback: yes');
            header_remove('X-Before');
        });
        header('X-Before: yes');
        break;
    case 'late':
        while (ob_get_level()) {
            ob_end_flush();
        }
        echo "body\n";
        flush();
        echo json_encode(['sent' => headers_sent()]), "\n";
        exit;
    case 'list':
        header('X-A: b');
        echo json_encode(headers_list()), "\n";
        exit;
    case 'powered':
        header_remove('X-Powered-By');
        break;
    case 'empty':
        exit;
    case 'cache':
        header('Cache-Control: max-age=60');
        header('Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT');
        break;
}
echo "done\n";
