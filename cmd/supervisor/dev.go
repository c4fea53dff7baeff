package main

type devCmd struct{}

func (*devCmd) Run() error { return exitf(statusSoftware, "not yet") }
