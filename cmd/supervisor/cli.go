package main

import (
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"
)

type commandLine struct {
	Run     runCmd     `cmd:"" default:"withargs" help:"Serve (the default command). Without a configuration the settings come from flags; with none of those either it serves the current directory on 127.0.0.1:9000."`
	Dev     devCmd     `cmd:"" help:"Serve the current directory over HTTP, for development: reloads PHP and the browser when files change."`
	Reload  reloadCmd  `cmd:"" help:"Have the running supervisor read its configuration anew and replace its workers, and wait until that is done."`
	Status  statusCmd  `cmd:"" help:"Show the pools and workers of the running supervisor."`
	Stop    stopCmd    `cmd:"" help:"Stop the running supervisor when its requests have ended."`
	Check   checkCmd   `cmd:"" help:"Check a configuration file."`
	Doctor  doctorCmd  `cmd:"" help:"Say what this machine lacks to run the supervisor, and how to get it."`
	Request requestCmd `cmd:"" help:"Send one request to a FastCGI server, such as a pool, and show the answer."`
	Version versionCmd `cmd:"" help:"Show the version."`
}

// console is where a command reads and writes.
type console struct {
	in       io.Reader
	out, err io.Writer
}

// leave is how kong's --help comes back to us.
type leave struct{ status int }

func runCommand(args []string, stdout, stderr io.Writer) (err error) {
	var cl commandLine
	parser, err := kong.New(&cl,
		kong.Name("supervisor"),
		kong.Description("A PHP application server in php-fpm's place. Called through a link named php-fpm it takes php-fpm's command line."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(status int) { panic(leave{status}) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Bind(console{os.Stdin, stdout, stderr}),
	)
	if err != nil {
		return fmt.Errorf("command line: %w", err)
	}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case leave:
			err = nil
			if r.status != 0 {
				err = &exit{status: r.status}
			}
		default:
			panic(r)
		}
	}()
	ctx, err := parser.Parse(args)
	if err != nil {
		return exitf(statusUsage, "%w\nTry: supervisor --help", err)
	}
	return ctx.Run()
}
