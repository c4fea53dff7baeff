<?php

namespace App;

use Symfony\Contracts\Service\ResetInterface;

/** Counts within one request. A second request that sees the first one's count shows a missing reset. */
final class Visits implements ResetInterface
{
    private $inThisRequest = 0;

    public function add(): int
    {
        return ++$this->inThisRequest;
    }

    public function reset(): void
    {
        $this->inThisRequest = 0;
    }
}
