package phpext

import (
	"context"
	"errors"
	"os/exec"
	"time"
)

// Exec is a Runner for programs that do not reap children by themselves (supervisor doctor, tests). The daemon must not
// use it: its reaper would take the exit status away.
func Exec(ctx context.Context, argv, env []string) ([]byte, int, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = env
	cmd.WaitDelay = time.Second // a grandchild may hold the pipe
	var out bounded
	cmd.Stdout = &out
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() && ctx.Err() == nil {
		return out.kept, exit.ExitCode(), nil
	}
	if err != nil {
		return out.kept, -1, err
	}
	return out.kept, 0, nil
}

// bounded keeps the first MaxOutput bytes and swallows the rest, so that the program can end.
type bounded struct{ kept []byte }

func (b *bounded) Write(p []byte) (int, error) {
	b.kept = append(b.kept, p[:min(len(p), MaxOutput-len(b.kept))]...)
	return len(p), nil
}
