package harness

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// Site is one server block of nginx.
type Site struct {
	Name     string
	Root     string
	Socket   string // of the FastCGI server
	Front    string // front controller such as "/index.php"; "" serves the scripts themselves
	FrontAll bool   // every request goes to the front controller, there are no files
	// KeepConn keeps that many idle connections to the FastCGI server open; 0: a connection a request.
	KeepConn int
	Port     int      // 0: any free one
	Extra    []string // more directives of the server block

	Addr string // set by StartNginx: host:port on the loopback address
}

// URL of a path of the site.
func (s *Site) URL(path string) string { return "http://" + s.Addr + path }

// Nginx is a running nginx.
type Nginx struct {
	*Process
	Sites []*Site
}

// StartNginx starts an nginx with one worker process that serves the sites, and waits until it does.
func (s *Stage) StartNginx(sites ...*Site) (*Nginx, error) {
	program, err := exec.LookPath("nginx")
	if err != nil {
		program = "/usr/sbin/nginx" // not in everybody's PATH
	}
	var files []*os.File
	env := "NGINX="
	for i, site := range sites {
		// nginx takes over open sockets as its own binary upgrade does: numbers in NGINX=, matched
		// by address. The port stays ours from here on.
		l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", site.Port))
		if err != nil {
			return nil, fmt.Errorf("start nginx: %w", err)
		}
		f, err := l.(*net.TCPListener).File()
		l.Close()
		if err != nil {
			return nil, fmt.Errorf("start nginx: %w", err)
		}
		defer f.Close()
		site.Addr = l.Addr().String()
		files = append(files, f)
		env += fmt.Sprintf("%d;", 3+i)
	}
	if err := os.MkdirAll(s.Path("nginx"), 0o755); err != nil {
		return nil, fmt.Errorf("start nginx: %w", err)
	}
	conf := s.Path("nginx", "nginx.conf")
	if err := os.WriteFile(conf, []byte(s.nginxConf(sites)), 0o644); err != nil {
		return nil, fmt.Errorf("start nginx: %w", err)
	}
	p, err := s.Start(Command{
		Name:  "nginx",
		Args:  []string{program, "-p", s.Path("nginx"), "-c", conf, "-g", "daemon off;"},
		Env:   []string{env},
		Files: files,
		Stop:  syscall.SIGTERM,
	})
	if err != nil {
		return nil, err
	}
	err = Wait("nginx to listen", func() (bool, error) {
		if p.Exited() {
			return false, fmt.Errorf("nginx ended: %s", s.Logs(20))
		}
		// The sockets accept from the start; nginx's worker is there when the master has a child.
		return len(p.PIDs()) > 1, nil
	})
	if err != nil {
		return nil, err
	}
	return &Nginx{Process: p, Sites: sites}, nil
}

// ErrorLog returns nginx's error log, where FastCGI's stderr stream goes too.
func (s *Stage) ErrorLog() string {
	content, err := os.ReadFile(s.Path("logs", "nginx-error.log"))
	if err != nil {
		return err.Error()
	}
	return string(content)
}

func (s *Stage) nginxConf(sites []*Site) string {
	var b strings.Builder
	if os.Geteuid() == 0 {
		fmt.Fprintf(&b, "user %s %s;\n", s.User, s.Group)
	}
	fmt.Fprintf(&b, `worker_processes 1;
pid %[1]s/nginx/nginx.pid;
error_log %[1]s/logs/nginx-error.log notice;
events { worker_connections 2048; }
http {
	include /etc/nginx/mime.types;
	default_type application/octet-stream;
	access_log off;
	sendfile on;
	keepalive_requests 1000000;
	client_max_body_size 0;
	client_body_temp_path %[1]s/nginx/body;
	fastcgi_temp_path %[1]s/nginx/fastcgi;
	proxy_temp_path %[1]s/nginx/proxy;
	uwsgi_temp_path %[1]s/nginx/uwsgi;
	scgi_temp_path %[1]s/nginx/scgi;
	fastcgi_buffers 16 16k;
	fastcgi_buffer_size 16k;
	fastcgi_read_timeout 120s;
`, s.Dir)
	for i, site := range sites {
		fmt.Fprintf(&b, "\tupstream php%d {\n\t\tserver unix:%s;\n", i, site.Socket)
		if site.KeepConn > 0 {
			fmt.Fprintf(&b, "\t\tkeepalive %d;\n\t\tkeepalive_requests 1000000;\n", site.KeepConn)
		}
		fmt.Fprintf(&b, "\t}\n\tserver {\n\t\tlisten %s;\n\t\tserver_name example.test;\n\t\troot %s;\n\t\tindex index.php doku.php;\n", site.Addr, site.Root)
		if site.KeepConn > 0 {
			b.WriteString("\t\tfastcgi_keep_conn on;\n")
		}
		for _, e := range site.Extra {
			fmt.Fprintf(&b, "\t\t%s\n", e)
		}
		pass := fmt.Sprintf("include /etc/nginx/fastcgi.conf; fastcgi_param PATH_INFO $fastcgi_path_info; fastcgi_pass php%d;", i)
		switch {
		case site.FrontAll:
			// One location, no look at the file system: what a benchmark wants.
			fmt.Fprintf(&b, "\t\tlocation / { include /etc/nginx/fastcgi_params; fastcgi_param SCRIPT_FILENAME %s%s; fastcgi_param SCRIPT_NAME %s; fastcgi_pass php%d; }\n\t}\n", site.Root, site.Front, site.Front, i)
			continue
		case site.Front != "":
			fmt.Fprintf(&b, "\t\tlocation / { try_files $uri %s$is_args$args; }\n", site.Front)
		}
		fmt.Fprintf(&b, "\t\tlocation ~ \\.php(/|$) { fastcgi_split_path_info ^(.+?\\.php)(/.*)$; %s }\n", pass)
		// A file PHP must refuse, handed to it by mistake.
		fmt.Fprintf(&b, "\t\tlocation = /notes.txt { %s }\n", pass)
		fmt.Fprintf(&b, "\t\tlocation ^~ /unbuffered/ { rewrite ^/unbuffered(/.*)$ $1 break; fastcgi_request_buffering off; fastcgi_buffering off; %s }\n", pass)
		b.WriteString("\t}\n")
	}
	b.WriteString("}\n")
	return b.String()
}
