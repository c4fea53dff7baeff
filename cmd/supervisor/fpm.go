package main

func runFPM(args []string) int { return 70 }
