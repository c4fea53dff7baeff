package config

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCommittedReferenceIsTheTable(t *testing.T) {
	var want bytes.Buffer
	if err := WriteReference(&want); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../docs/CONFIGURATION.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), string(got)); diff != "" {
		t.Errorf("run go generate ./internal/config (-table +file)\n%s", diff)
	}
}

func TestEveryRowOfTheTableIsComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Settings() {
		id := string(s.Section) + " " + strings.ToLower(s.Name)
		if seen[id] {
			t.Errorf("%s is there twice", id)
		}
		seen[id] = true
		if s.Help == "" || !strings.HasSuffix(s.Help, ".") {
			t.Errorf("%s: help %q", id, s.Help)
		}
		if (s.global == nil) == (s.pool == nil) || (s.Section == SectionGlobal) != (s.global != nil) {
			t.Errorf("%s: its field does not go with its section", id)
		}
		if (s.Effect == EffectNone) != (s.Why != "") {
			t.Errorf("%s: the reason for having no effect", id)
		}
		if (s.Kind == KindChoice) != (len(s.Choices) > 0) {
			t.Errorf("%s: choices", id)
		}
	}
}

// The list is that of php-fpm 8.2 to 8.5.
func TestAllDirectivesOfPhpFpmAreKnown(t *testing.T) {
	global := "pid error_log syslog.ident syslog.facility log_buffering log_level log_limit emergency_restart_threshold emergency_restart_interval " +
		"process_control_timeout process.max process.priority daemonize rlimit_files rlimit_core events.mechanism systemd_interval include"
	pool := "prefix user group listen listen.backlog listen.acl_users listen.acl_groups listen.owner listen.group listen.mode listen.allowed_clients " +
		"listen.setfib process.priority process.dumpable pm pm.max_children pm.start_servers pm.min_spare_servers pm.max_spare_servers pm.max_spawn_rate " +
		"pm.process_idle_timeout pm.max_requests pm.status_path pm.status_listen ping.path ping.response access.log access.format access.suppress_path " +
		"slowlog request_slowlog_timeout request_slowlog_trace_depth request_terminate_timeout request_terminate_timeout_track_finished rlimit_files " +
		"rlimit_core chroot chdir catch_workers_output decorate_workers_output clear_env security.limit_extensions apparmor_hat env php_value php_flag " +
		"php_admin_value php_admin_flag"
	for names, table := range map[string][]Setting{global: globalSettings, pool: poolSettings} {
		for _, name := range strings.Fields(names) {
			if s := lookup(table, name); s == nil || s.Own {
				t.Errorf("%s: %+v", name, s)
			}
		}
	}
}
