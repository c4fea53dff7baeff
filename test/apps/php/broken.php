<?php
echo "before the parse error\n";
this is not php;
