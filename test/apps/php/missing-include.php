<?php
require 'no/such/file.php';
