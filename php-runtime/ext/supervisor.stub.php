<?php

/** @generate-function-entries */

namespace Supervisor {

    function handle_request(callable $callback): bool {}

}

namespace {

    /** @alias Supervisor\handle_request */
    function frankenphp_handle_request(callable $callback): bool {}

}
