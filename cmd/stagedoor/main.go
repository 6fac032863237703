// Command stagedoor is the relay's one binary: the daemon (serve) and the
// tools that an operator needs beside it.
//
// The tools open the database themselves and work while the daemon runs: the
// daemon notices what they changed. This package holds no rule of mail: it
// reads the configuration, wires the packages together and prints.
//
// The exit status is 0 when the thing is done, 1 when it failed, 2 when the
// command line was wrong.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	_ "time/tzdata" // members' time zones, also where the system has none

	"github.com/stagedoor/stagedoor/config"
)

// Exit statuses.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run runs one command line and returns its exit status.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	command, err := root.ExecuteContextC(context.Background())
	if err == nil {
		return exitDone
	}
	var usage *usageError
	if errors.As(err, &usage) {
		fmt.Fprintf(stderr, "%s: %s\nSee %s --help.\n", command.CommandPath(), usage, command.CommandPath())
		return exitUsage
	}
	var problem config.Problem
	var problems config.Problems
	if errors.As(err, &problem) || errors.As(err, &problems) {
		// They begin with file:line, which editors follow.
		fmt.Fprintln(stderr, err)
		return exitFailed
	}
	fmt.Fprintf(stderr, "%s: %s\n", command.CommandPath(), err)
	return exitFailed
}
