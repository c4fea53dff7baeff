<?php

namespace App\Controller;

use Symfony\Component\HttpFoundation\File\UploadedFile;
use Symfony\Component\HttpFoundation\JsonResponse;
use Symfony\Component\HttpFoundation\Request;

final class ApiController
{
    public function echo(Request $request): JsonResponse
    {
        return new JsonResponse([
            'method' => $request->getMethod(),
            'query' => $request->query->all(),
            'data' => $request->toArray(),
        ]);
    }

    public function upload(Request $request): JsonResponse
    {
        $file = $request->files->get('file');
        if (!$file instanceof UploadedFile || !$file->isValid()) {
            return new JsonResponse(['error' => 'no file'], 400);
        }
        $name = bin2hex(random_bytes(8));
        $moved = $file->move(sys_get_temp_dir(), $name);
        $sha1 = sha1_file($moved->getPathname());
        unlink($moved->getPathname());

        return new JsonResponse(['name' => $file->getClientOriginalName(), 'sha1' => $sha1, 'title' => $request->request->get('title')]);
    }

    /** which process answers, and how long it has been there: shows classic from worker mode */
    public function info(Request $request): JsonResponse
    {
        return new JsonResponse([
            'pid' => getmypid(),
            'kernel' => $request->server->get('APP_KERNEL_BOOTED'),
            'memory' => memory_get_usage(),
            'uri' => $request->getUri(),
            'ip' => $request->getClientIp(),
        ]);
    }
}
