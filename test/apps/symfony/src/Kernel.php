<?php

namespace App;

use Symfony\Bundle\FrameworkBundle\FrameworkBundle;
use Symfony\Bundle\FrameworkBundle\Kernel\MicroKernelTrait;
use Symfony\Component\DependencyInjection\Loader\Configurator\ContainerConfigurator;
use Symfony\Component\HttpKernel\Kernel as BaseKernel;
use Symfony\Component\Routing\Loader\Configurator\RoutingConfigurator;

final class Kernel extends BaseKernel
{
    use MicroKernelTrait;

    /** production: the compiled container is used as it is, its freshness is not checked */
    public static function production(): self
    {
        return new self('prod', false);
    }

    public function registerBundles(): iterable
    {
        yield new FrameworkBundle();
    }

    public function getProjectDir(): string
    {
        return \dirname(__DIR__);
    }

    protected function configureContainer(ContainerConfigurator $container): void
    {
        $container->parameters()
            // One class file for all services of the hot path instead of a file a service.
            ->set('container.dumper.inline_factories', true)
            ->set('container.dumper.inline_class_loader', true);

        $container->extension('framework', [
            'secret' => 'a secret of the demonstration',
            'http_method_override' => false,
            'annotations' => ['enabled' => false],
            'session' => [
                'handler_id' => null,
                'storage_factory_id' => 'session.storage.factory.native',
                'save_path' => '%kernel.project_dir%/var/sessions',
                'cookie_samesite' => 'lax',
            ],
            'php_errors' => ['log' => true],
        ]);

        $services = $container->services()->defaults()->autowire()->autoconfigure();
        $services->load('App\\', __DIR__.'/*')->exclude([__DIR__.'/bootstrap.php', __DIR__.'/Kernel.php']);
        $services->load('App\\Controller\\', __DIR__.'/Controller/*')->tag('controller.service_arguments');
    }

    protected function configureRoutes(RoutingConfigurator $routes): void
    {
        $routes->add('home', '/')->controller([Controller\PageController::class, 'home']);
        $routes->add('page', '/page/{slug}')->controller([Controller\PageController::class, 'page']);
        $routes->add('echo', '/api/echo')->controller([Controller\ApiController::class, 'echo'])->methods(['POST', 'PUT']);
        $routes->add('upload', '/api/upload')->controller([Controller\ApiController::class, 'upload'])->methods(['POST']);
        $routes->add('info', '/api/info')->controller([Controller\ApiController::class, 'info']);
        $routes->add('visits', '/visits')->controller([Controller\SessionController::class, 'visits']);
        $routes->add('boom', '/boom')->controller([Controller\PageController::class, 'boom']);
        $routes->add('stream', '/stream')->controller([Controller\PageController::class, 'stream']);
        $routes->add('after', '/after')->controller([Controller\PageController::class, 'after']);
    }
}
