<?php

namespace App\Controller;

use App\Visits;
use Symfony\Component\HttpFoundation\Request;
use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\HttpFoundation\StreamedResponse;
use Symfony\Component\Routing\Generator\UrlGeneratorInterface;

final class PageController
{
    private const SLUGS = ['zygote', 'worker', 'generation'];

    private $urls;
    private $visits;

    public function __construct(UrlGeneratorInterface $urls, Visits $visits)
    {
        $this->urls = $urls;
        $this->visits = $visits;
    }

    public function home(Request $request): Response
    {
        $items = '';
        foreach (self::SLUGS as $slug) {
            $items .= sprintf("<li><a href=\"%s\">%s</a></li>\n", $this->urls->generate('page', ['slug' => $slug]), ucfirst($slug));
        }

        return $this->html('Home', "<p>Hello {$this->name($request)}, this is call {$this->visits->add()} of this request.</p>\n<ul>\n$items</ul>\n");
    }

    public function page(Request $request, string $slug): Response
    {
        return $this->html(htmlspecialchars($slug), '<p><a href="'.$this->urls->generate('home').'">back</a></p>');
    }

    public function boom(): Response
    {
        throw new \DomainException('thrown on purpose');
    }

    public function stream(Request $request): Response
    {
        $gate = $request->query->get('gate');
        $response = new StreamedResponse(static function () use ($gate) {
            echo "first\n";
            while (ob_get_level()) {
                ob_end_flush();
            }
            flush();
            for ($i = 0; $i < 3000 && null !== $gate && !file_exists($gate); ++$i) {
                usleep(10000);
                clearstatcache();
            }
            echo "last\n";
        });
        $response->headers->set('X-Accel-Buffering', 'no');
        $response->headers->set('Content-Type', 'text/plain');

        return $response;
    }

    public function after(Request $request): Response
    {
        $request->attributes->set('write_after', $request->query->get('file'));

        return new Response("sent\n", 200, ['Content-Type' => 'text/plain']);
    }

    private function name(Request $request): string
    {
        return htmlspecialchars((string) $request->query->get('name', 'world'));
    }

    private function html(string $title, string $body): Response
    {
        return new Response("<!doctype html>\n<title>$title</title>\n<h1>$title</h1>\n$body");
    }
}
