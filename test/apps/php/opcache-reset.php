<?php
// Asks OPcache to start anew, which it does when nobody uses it.
opcache_reset();
