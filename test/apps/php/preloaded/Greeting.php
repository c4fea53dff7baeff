<?php
namespace Preloaded;

final class Greeting
{
    public static function text(): string
    {
        return 'preloaded';
    }
}
