package e2e

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"php-supervisor/test/apps"
	"php-supervisor/test/harness"
)

// common are the servers that most tests share: php-fpm, and ours in classic and in worker mode, all
// on the same scripts with the same settings.
var common struct {
	stage *harness.Stage
	root  string // document root of the plain scripts
	tmp   string // a directory PHP may write to

	fpm, classic, worker       *harness.Server // ours are nil with E2E_ONLY=fpm
	fpmSite, ourSite, workSite *harness.Site
}

// onlyFPM says that our half is switched off.
var onlyFPM = os.Getenv("E2E_ONLY") == "fpm"

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) (status int) {
	stage, err := harness.NewStage()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if status != 0 {
			fmt.Fprint(os.Stderr, stage.Logs(60))
		}
		if err := stage.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "stop the common servers:", err)
			status = 1
		}
		if status == 0 {
			// The harness's keeper has no goroutine, and every process is stopped by now.
			if err := goleak.Find(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				status = 1
			}
		}
	}()
	if err := startCommon(stage); err != nil {
		fmt.Fprintln(os.Stderr, "start the common servers:", err)
		return 1
	}
	return m.Run()
}

// settings are given to php-fpm and to us alike.
func settings(tmp string) []string {
	return []string{
		"catch_workers_output = yes",
		"env[E2E_GIVEN] = given by the pool",
		"php_value[precision] = 11",
		"php_value[session.save_path] = " + tmp,
		"php_value[date.timezone] = Europe/Vienna",
		"php_flag[ignore_repeated_errors] = off",
		"php_admin_value[memory_limit] = 96M",
		"php_admin_value[upload_tmp_dir] = " + tmp,
		"php_admin_flag[expose_php] = on",
	}
}

func startCommon(s *harness.Stage) (err error) {
	common.stage = s
	if common.root, err = apps.LayPHP(s.Path("php")); err != nil {
		return err
	}
	if common.tmp, err = s.Writable("tmp"); err != nil {
		return err
	}
	pool := harness.Pool{Children: 3, Lines: settings(common.tmp), Ready: common.root + "/ready.php"}

	pool.Name = "yardstick"
	if common.fpm, err = s.StartFPM(pool); err != nil {
		return err
	}
	common.fpmSite = &harness.Site{Name: "fpm", Root: common.root, Socket: common.fpm.Socket}
	sites := []*harness.Site{common.fpmSite}

	if !onlyFPM {
		pool.Name = "classic"
		if common.classic, err = s.StartSupervisor(pool); err != nil {
			return err
		}
		pool.Name = "worker"
		pool.Worker = common.root + "/worker.php"
		if common.worker, err = s.StartSupervisor(pool); err != nil {
			return err
		}
		common.ourSite = &harness.Site{Name: "classic", Root: common.root, Socket: common.classic.Socket, KeepConn: 16}
		common.workSite = &harness.Site{Name: "worker", Root: common.root, Socket: common.worker.Socket, KeepConn: 16}
		sites = append(sites, common.ourSite, common.workSite)
	}
	_, err = s.StartNginx(sites...)
	return err
}

// ours skips a test that has nothing to do in php-fpm's half.
func ours(t *testing.T) {
	t.Helper()
	if onlyFPM {
		t.Skip("E2E_ONLY=fpm")
	}
}

// servers runs a test against php-fpm and against both of our modes, where they are running.
func servers(t *testing.T, test func(t *testing.T, srv *harness.Server, site *harness.Site)) {
	t.Helper()
	t.Run("fpm", func(t *testing.T) { test(t, common.fpm, common.fpmSite) })
	if onlyFPM {
		return
	}
	t.Run("classic", func(t *testing.T) { test(t, common.classic, common.ourSite) })
	t.Run("worker", func(t *testing.T) { test(t, common.worker, common.workSite) })
}
