package config

import (
	"os"
	"os/user"
	"strconv"
)

// system is what a configuration asks of the machine it is read on.
type system struct {
	euid   int
	getenv func(name string) (string, bool)
	user   func(name string) (account, bool)
	userID func(uid int) (account, bool)
	group  func(name string) (gid int, ok bool)
	groups func(name string, gid int) []int // all groups of a user, gid included
}

type account struct {
	name, home string
	uid, gid   int
}

func realSystem() *system {
	return &system{
		euid:   os.Geteuid(),
		getenv: os.LookupEnv,
		user: func(name string) (account, bool) {
			u, err := user.Lookup(name)
			return toAccount(u, err)
		},
		userID: func(uid int) (account, bool) {
			u, err := user.LookupId(strconv.Itoa(uid))
			return toAccount(u, err)
		},
		group: func(name string) (int, bool) {
			g, err := user.LookupGroup(name)
			if err != nil {
				return 0, false
			}
			gid, err := strconv.Atoi(g.Gid)
			return gid, err == nil
		},
		groups: supplementaryGroups,
	}
}

func toAccount(u *user.User, err error) (account, bool) {
	if err != nil {
		return account{}, false
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	return account{u.Username, u.HomeDir, uid, gid}, err1 == nil && err2 == nil
}

// supplementaryGroups is what initgroups(3) sets: the groups that name the user,
// and gid.
func supplementaryGroups(name string, gid int) []int {
	groups := []int{gid}
	if name == "" {
		return groups
	}
	ids, err := (&user.User{Username: name, Gid: strconv.Itoa(gid)}).GroupIds()
	if err != nil {
		return groups
	}
	for _, id := range ids {
		if n, err := strconv.Atoi(id); err == nil && n != gid {
			groups = append(groups, n)
		}
	}
	return groups
}

func isDir(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.IsDir()
}

// isID tells whether a user or group is given by its number. As in php-fpm the
// empty name is one as well.
func isID(name string) bool { return span(name, isDigit) == len(name) }
