<?php

namespace App;

use Symfony\Component\EventDispatcher\EventSubscriberInterface;
use Symfony\Component\HttpKernel\Event\TerminateEvent;

/** Work that is done when the client has its response already (kernel.terminate). */
final class AfterResponse implements EventSubscriberInterface
{
    public static function getSubscribedEvents(): array
    {
        return ['kernel.terminate' => 'write'];
    }

    public function write(TerminateEvent $event): void
    {
        $file = $event->getRequest()->attributes->get('write_after');
        if (null === $file) {
            return;
        }
        $gate = $event->getRequest()->query->get('gate');
        for ($i = 0; $i < 3000 && null !== $gate && !file_exists($gate); ++$i) {
            usleep(10000);
            clearstatcache();
        }
        file_put_contents($file, $event->getResponse()->getStatusCode()."\n");
    }
}
