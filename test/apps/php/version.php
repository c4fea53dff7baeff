<?php
// Rewritten by tests: what it prints shows which generation of the code answers.
echo "one\n";
