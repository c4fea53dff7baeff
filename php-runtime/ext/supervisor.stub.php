<?php

/** @generate-function-entries */

namespace Supervisor;

function handle_request(callable $callback): bool {}
