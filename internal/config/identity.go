package config

import (
	"os"
	"strconv"
	"strings"
)

// identity finds out who the pool's processes are, with php-fpm's refusals.
func (c *checker) identity(p *Pool) error {
	id := &p.Identity
	if c.sys.euid != 0 {
		for _, d := range []struct {
			name string
			set  bool
		}{{"user", p.User != ""}, {"group", p.Group != ""}, {"chroot", p.Chroot != ""}, {"process.priority", p.ProcessPriority != PriorityUnset}} {
			if d.set {
				c.note(LevelNotice, "[pool %s] '%s' directive is ignored when FPM is not running as root", p.Name, d.name)
			}
		}
		if me, ok := c.sys.userID(c.sys.euid); ok {
			id.User, id.Home = me.name, me.home
		}
		return nil
	}
	id.Switch = true
	name := p.User
	switch {
	case p.User == "":
	case isID(p.User):
		uid, err := c.id(p, "user", p.User)
		if err != nil {
			return err
		}
		id.UID = uid
		if u, ok := c.sys.userID(uid); ok {
			id.GID, name = u.gid, u.name
		}
	default:
		u, ok := c.sys.user(p.User)
		if !ok {
			return failf(LevelError, "[pool %s] cannot get uid for user '%s'", p.Name, p.User)
		}
		id.UID, id.GID, id.User, id.Home = u.uid, u.gid, u.name, u.home
	}
	if p.Group != "" {
		gid, err := c.groupID(p, p.Group, "group", "")
		if err != nil {
			return err
		}
		id.GID = gid
	}
	if !c.opts.AllowRoot && (id.UID == 0 || id.GID == 0) {
		return failf(LevelError, "[pool %s] please specify user and group other than root", p.Name)
	}
	if id.UID != 0 {
		id.Groups = c.sys.groups(name, id.GID)
	} else {
		id.Groups = []int{id.GID}
	}
	return nil
}

// socket finds out whom a unix socket belongs to.
func (c *checker) socket(p *Pool) error {
	s := &p.Socket
	*s = SocketPermissions{UID: -1, GID: -1, Mode: 0o660}
	if p.ListenMode != "" {
		mode, _ := strconv.ParseUint(p.ListenMode, 8, 32) // the table has checked it
		s.Mode = os.FileMode(mode)
	}
	if p.ListenACLUsers != "" || p.ListenACLGroups != "" {
		return c.socketACL(p)
	}
	switch {
	case p.ListenOwner == "":
	case isID(p.ListenOwner):
		uid, err := c.id(p, "listen.owner", p.ListenOwner)
		if err != nil {
			return err
		}
		s.UID = uid
	default:
		u, ok := c.sys.user(p.ListenOwner)
		if !ok {
			return noUser(p, p.ListenOwner)
		}
		s.UID, s.GID = u.uid, u.gid
	}
	if p.ListenGroup != "" {
		gid, err := c.groupID(p, p.ListenGroup, "listen.group", ": no such group")
		if err != nil {
			return err
		}
		s.GID = gid
	}
	return nil
}

func (c *checker) socketACL(p *Pool) error {
	for _, name := range splitNames(p.ListenACLUsers) {
		if isID(name) {
			uid, err := c.id(p, "listen.acl_users", name)
			if err != nil {
				return err
			}
			p.Socket.ACLUsers = append(p.Socket.ACLUsers, uid)
			continue
		}
		u, ok := c.sys.user(name)
		if !ok {
			return noUser(p, name)
		}
		p.Socket.ACLUsers = append(p.Socket.ACLUsers, u.uid)
	}
	for _, name := range splitNames(p.ListenACLGroups) {
		gid, err := c.groupID(p, name, "listen.acl_groups", ": no such group")
		if err != nil {
			return err
		}
		p.Socket.ACLGroups = append(p.Socket.ACLGroups, gid)
	}
	if p.ListenOwner != "" {
		c.note(LevelWarning, "[pool %s] ACL set, listen.owner = '%s' is ignored", p.Name, p.ListenOwner)
	}
	if p.ListenGroup != "" {
		c.note(LevelWarning, "[pool %s] ACL set, listen.group = '%s' is ignored", p.Name, p.ListenGroup)
	}
	return nil
}

// names checks, as php-fpm -t does, that the users and groups of a pool exist.
func (c *checker) names(p *Pool) error {
	if !isID(p.User) {
		if _, ok := c.sys.user(p.User); !ok {
			return failf(LevelError, "[pool %s] cannot get uid for user '%s'", p.Name, p.User)
		}
	}
	if _, err := c.groupID(p, p.Group, "group", ""); p.Group != "" && err != nil {
		return err
	}
	if !isID(p.ListenOwner) {
		if _, ok := c.sys.user(p.ListenOwner); !ok {
			return noUser(p, p.ListenOwner)
		}
	}
	if _, err := c.groupID(p, p.ListenGroup, "listen.group", ": no such group"); p.ListenGroup != "" && err != nil {
		return err
	}
	return nil
}

func (c *checker) groupID(p *Pool, name, directive, reason string) (int, error) {
	if isID(name) {
		return c.id(p, directive, name)
	}
	gid, ok := c.sys.group(name)
	if !ok {
		return 0, failf(LevelError, "[pool %s] cannot get gid for group '%s'%s", p.Name, name, reason)
	}
	return gid, nil
}

func (c *checker) id(p *Pool, directive, number string) (int, error) {
	n, err := strconv.ParseUint(number, 10, 31)
	if err != nil {
		return 0, failf(LevelError, "[pool %s] %s '%s' is not an id: the number is too large", p.Name, directive, number)
	}
	return int(n), nil
}

func noUser(p *Pool, name string) error {
	return failf(LevelError, "[pool %s] cannot get uid for user '%s': no such user", p.Name, name)
}

func splitNames(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}
