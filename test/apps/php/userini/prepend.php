<?php
$GLOBALS['prepended'] = 'by .user.ini';
