<?php
// Burns CPU beyond max_execution_time.
set_time_limit(1);
while (true) {
    hash('sha256', str_repeat('x', 1000));
}
