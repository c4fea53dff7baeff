package harness

import (
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
)

// keeper is a shell that outlives us by a moment: when its standard input ends, because we have, it
// kills the sessions and removes the directories it was told of and not told to forget.
type keeper struct {
	mu sync.Mutex
	in io.Writer
}

const keeperScript = `
all=
while read -r what which; do
	case $what in
	add) all="$all $which" ;;
	remove)
		rest=
		for x in $all; do
			[ "$x" = "$which" ] || rest="$rest $x"
		done
		all=$rest
		;;
	esac
done
for x in $all; do
	case $x in */*) continue ;; esac
	for stat in /proc/[0-9]*/stat; do
		{ read -r line <"$stat"; } 2>/dev/null || continue
		pid=${line%% *}
		# The name, in parentheses, may hold blanks; after it: state ppid pgrp session.
		set -- ${line##*) }
		[ "$4" = "$x" ] && kill -KILL "$pid" 2>/dev/null
	done
done
for x in $all; do
	case $x in */` + stagePrefix + `*) rm -rf -- "$x" ;; esac
done
exit 0
`

var theKeeper = sync.OnceValues(func() (*keeper, error) {
	cmd := exec.Command("/bin/sh", "-c", keeperScript)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Ctrl-C is for us
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("keeper: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("keeper: %w", err)
	}
	return &keeper{in: in}, nil
})

// add and remove take the number of a session or the path of a stage, which has no blanks in it.
func (k *keeper) add(which any)    { k.say("add", which) }
func (k *keeper) remove(which any) { k.say("remove", which) }

func (k *keeper) say(what string, which any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, _ = fmt.Fprintf(k.in, "%s %v\n", what, which) // without a keeper Close still cleans up
}
