package daemon

import (
	"context"
	"os"

	"golang.org/x/sys/unix"

	"php-supervisor/internal/config"
	"php-supervisor/internal/logging"
	"php-supervisor/pool"
)

// change is what a reload does to one pool: a new site, or an old one with new settings.
type change struct {
	old    *site // nil for a new pool
	fresh  *site // nil unless the pool is new, or listens elsewhere
	cfg    *config.Pool
	pc     pool.Config
	access *logging.AccessLog
}

// plan prepares a pool's change and touches nothing that runs.
func (d *Daemon) plan(ctx context.Context, cfg *config.Config, p *config.Pool) (_ *change, err error) {
	c := &change{cfg: p}
	for _, s := range d.sites {
		if s.name == p.Name {
			c.old = s
		}
	}
	if c.old == nil || c.old.cfg.Address != p.Address {
		c.fresh, err = d.newSite(ctx, cfg, p)
		return c, err
	}
	if c.pc, err = d.poolConfig(ctx, cfg, p); err != nil {
		return nil, err
	}
	if c.access, err = openAccess(p); err != nil {
		c.pc.Command.Extension.Close()
		return nil, err
	}
	return c, nil
}

// undo gives up a planned change.
func (c *change) undo() {
	if c.fresh != nil {
		c.fresh.stop(endedContext())
		return
	}
	c.pc.Command.Extension.Close()
	if c.access != nil {
		c.access.Close()
	}
}

// site is the one that serves the pool after do, whether that went well or not.
func (c *change) site() *site {
	if c.fresh != nil {
		return c.fresh
	}
	return c.old
}

// do carries the change out. After an error the old site serves as before.
func (c *change) do(ctx context.Context, d *Daemon) error {
	if c.fresh != nil {
		if err := c.fresh.start(ctx); err != nil {
			c.fresh.stop(endedContext())
			c.fresh = nil
			return err
		}
		c.fresh.serve(d.fatal)
		c.fresh.watch(d)
		return nil
	}
	s := c.old
	if err := s.renew(ctx, c.pc); err != nil {
		if c.access != nil {
			c.access.Close()
		}
		return failure(exitSoftware, "[pool %s] the old generation goes on: %w", s.name, err)
	}
	if err := s.socket.adapt(c.cfg); err != nil { // too late to give the reload up: the new generation serves
		s.log.Error(err.Error())
	}
	s.unwatch()
	s.cfg = c.cfg
	s.apply(c.cfg)
	if old := s.access.Swap(c.access); old != nil {
		old.Close()
	}
	s.watch(d)
	return nil
}

// dupFile returns another descriptor of f, closed on exec.
func dupFile(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}
