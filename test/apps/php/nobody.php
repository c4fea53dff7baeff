<?php
// Answers without ever reading the body it was sent.
echo "unread\n";
