package harness

import (
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
)

// keeper is a shell that outlives us by a moment: when its standard input ends, because we have, it
// kills the sessions it was told of and not told to forget.
type keeper struct {
	mu sync.Mutex
	in io.Writer
}

const keeperScript = `
sids=
while read -r what sid; do
	case $what in
	add) sids="$sids $sid" ;;
	remove)
		rest=
		for s in $sids; do
			[ "$s" = "$sid" ] || rest="$rest $s"
		done
		sids=$rest
		;;
	esac
done
for sid in $sids; do
	for stat in /proc/[0-9]*/stat; do
		{ read -r line <"$stat"; } 2>/dev/null || continue
		pid=${line%% *}
		# The name, in parentheses, may hold blanks; after it: state ppid pgrp session.
		set -- ${line##*) }
		[ "$4" = "$sid" ] && kill -KILL "$pid" 2>/dev/null
	done
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

func (k *keeper) add(sid int)    { k.say("add", sid) }
func (k *keeper) remove(sid int) { k.say("remove", sid) }

func (k *keeper) say(what string, sid int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, _ = fmt.Fprintf(k.in, "%s %d\n", what, sid) // without a keeper Close still cleans up
}
