<?php

namespace App\Controller;

use Symfony\Component\HttpFoundation\Request;
use Symfony\Component\HttpFoundation\Response;

final class SessionController
{
    public function visits(Request $request): Response
    {
        $session = $request->getSession();
        $session->set('n', $n = 1 + $session->get('n', 0));

        return new Response("visit $n\n", 200, ['Content-Type' => 'text/plain']);
    }
}
