<?php
echo "appended\n";
