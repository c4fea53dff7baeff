package config

import (
	"net/netip"
	"strconv"
	"strings"
)

// maxUnixPath is what fits into sun_path with its final NUL.
const maxUnixPath = 107

// isTCP tells a TCP address from the path of a unix socket as php-fpm does: by a
// colon anywhere, or by nothing but digits.
func isTCP(listen string) bool { return strings.Contains(listen, ":") || isID(listen) }

// address takes a listen address apart. A path is absolute already.
func address(p *Pool) (Address, error) {
	listen := p.Listen
	if !isTCP(listen) {
		if len(listen) > maxUnixPath {
			return Address{}, failf(LevelError, "[pool %s] the path of the listening socket '%s' is too long: %d bytes, and a unix socket's has at most %d",
				p.Name, listen, len(listen), maxUnixPath)
		}
		return Address{Network: "unix", Path: listen}, nil
	}
	a := Address{Network: "tcp"}
	port := listen
	if colon := strings.LastIndexByte(listen, ':'); colon >= 0 {
		a.Host, port = listen[:colon], listen[colon+1:]
		if strings.HasPrefix(a.Host, "[") && strings.HasSuffix(a.Host, "]") {
			a.Host = a.Host[1 : len(a.Host)-1]
		}
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n < 1 {
		return Address{}, failf(LevelError, "invalid port value '%s'", port)
	}
	a.Port = int(n)
	return a, nil
}

// allowedClients reads listen.allowed_clients, which counts for TCP only. As in
// php-fpm a wrong address is an error line but the pool goes on without it, and a
// list with no right address admits nobody.
func (c *checker) allowedClients(p *Pool) {
	if p.Address.Network != "tcp" || !p.set.has("listen.allowed_clients") {
		return
	}
	p.AllowedClients = &AllowedClients{}
	for _, text := range strings.Split(p.ListenAllowedClients, ",") {
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Zone() != "" {
			c.note(LevelError, "Wrong IP address '%s' in listen.allowed_clients", text)
			continue
		}
		p.AllowedClients.Addrs = append(p.AllowedClients.Addrs, addr.Unmap())
	}
	if len(p.AllowedClients.Addrs) == 0 {
		c.note(LevelError, "There are no allowed addresses")
	}
}
