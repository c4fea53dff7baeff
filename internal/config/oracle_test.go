package config

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The tests in this file compare with the real php and php-fpm, where they are
// installed.

// The lines are the same each time, so that a failure is not one of chance; other
// seeds are for looking further.
var lineSeed = flag.Uint64("line-seed", 1, "seed of the random lines compared with PHP, 0 for another each time")

var logPrefix = regexp.MustCompile(`(?m)^\[[^]]*\] `)

// fpmTest runs php-fpm -tt and returns what it logs, without dates.
func fpmTest(t *testing.T, file string) string {
	t.Helper()
	fpm, err := exec.LookPath("/usr/sbin/php-fpm8.2")
	if err != nil {
		t.Skip("php-fpm8.2 is not installed")
	}
	cmd := exec.Command(fpm, "-n", "-tt", "-y", file)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	_ = cmd.Run() // what it says is compared, its status follows from that
	return strings.TrimRight(logPrefix.ReplaceAllString(out.String(), ""), "\n") + "\n"
}

// ownTest is what we would log for the same.
func ownTest(t *testing.T, file string) string {
	t.Helper()
	cfg, messages, err := Load(file, Options{TestOnly: true})
	text := logLines(messages, err)
	if err == nil {
		var dump bytes.Buffer
		if err := cfg.Dump(&dump); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(dump.String()) {
			text += "NOTICE: " + line
		}
		text += "NOTICE: configuration file " + file + " test is successful\n"
	}
	return text
}

func TestMessagesAndDumpsAgreeWithPhpFpm(t *testing.T) {
	files := append(fixtures(t, "testdata/bad/*.conf"), fixtures(t, "testdata/good/*.conf")...)
	if _, err := os.Stat("/etc/php/8.2/fpm/php-fpm.conf"); err == nil {
		files = append(files, "/etc/php/8.2/fpm/php-fpm.conf")
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want, got := fpmTest(t, file), ownTest(t, file)
			diff := cmp.Diff(want, got)
			if bytes.HasPrefix(text, []byte("; differs from php-fpm: ")) {
				if diff == "" {
					t.Errorf("it says that it differs from php-fpm, but it does not")
				}
				return
			}
			if diff != "" {
				t.Errorf("(-php-fpm +own)\n%s", diff)
			}
		})
	}
}

// phpParser prints what PHP reads in each line it gets, in base64.
const phpParser = `while (($l = fgets(STDIN)) !== false) {
	$sections = ($l[0] === "S");
	$r = @parse_ini_string(base64_decode(substr(trim($l), 1)) . "\n", $sections, INI_SCANNER_NORMAL);
	if ($r === false) { echo "null\n"; continue; }
	$o = [];
	if ($sections) $r = array_slice($r, 0, 1, true);
	foreach ($r as $k => $v) {
		if ($sections) $o[] = [base64_encode((string)$k)];
		elseif (!is_array($v)) $o[] = [base64_encode((string)$k), base64_encode($v)];
		else foreach ($v as $kk => $vv) $o[] = [base64_encode((string)$k), base64_encode((string)$kk), base64_encode($vv)];
	}
	echo json_encode($o), "\n";
}`

// recorder takes down the statements of a line.
type recorder struct{ sections, values [][]string }

func (r *recorder) section(name string) error {
	r.sections = append(r.sections, []string{name})
	return nil
}

func (r *recorder) valueless(string) error { return nil }

func (r *recorder) entry(name, value string) error {
	r.values = append(r.values, []string{name, value})
	return nil
}

func (r *recorder) array(name, key, value string) error {
	if key == "" {
		key = "0" // as PHP's arrays count
	}
	r.values = append(r.values, []string{name, key, value})
	return nil
}

// randomLines are lines of pieces that mean something to the lexer. Each has at
// most one value so that PHP's arrays lose nothing.
func randomLines(random *rand.Rand, n int) []string {
	pieces := []string{"a", "b1", "foo", "E_ALL", "E_NOTICE", " ", "  ", "\t", "=", "=", ";", `"`, `"`, "'", "'", "$", "$", `\`, `\`,
		"{", "}", "${HOME}", "${CONFIG_NOT_THERE}", "${", "[", "]", "(", ")", "|", "&", "~", "!", "^", "1", "-", "12", ".", "on", "yes", "no",
		"none", "null", "true", "off", "false", "On", "x", "/", "%", "@", "#", ",", ":", "?", "é", "$pool", "10s", "+", "<", "*", ">"}
	starts := []string{"", "k = ", "k[", "k[z] = ", "[", "k = \"", "k = E_ALL"}
	lines := make([]string, n)
	for i := 0; i < n; {
		var b strings.Builder
		b.WriteString(starts[random.IntN(len(starts))])
		for range 1 + random.IntN(10) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		if strings.Contains(b.String(), ":-") {
			continue // fallbacks of variables are of PHP 8.3
		}
		lines[i] = b.String()
		i++
	}
	return lines
}

func TestLinesAreReadAsPHPReadsThem(t *testing.T) {
	php, err := exec.LookPath("php8.2")
	if err != nil {
		t.Skip("php8.2 is not installed")
	}
	if *lineSeed == 0 {
		*lineSeed = rand.Uint64()
	}
	t.Logf("seed %d", *lineSeed)
	lines := randomLines(rand.New(rand.NewPCG(*lineSeed, 0)), 40_000)
	var in bytes.Buffer
	for _, line := range lines {
		kind := "V"
		if strings.HasPrefix(line, "[") {
			kind = "S"
		}
		in.WriteString(kind + base64.StdEncoding.EncodeToString([]byte(line)) + "\n")
	}
	cmd := exec.Command(php, "-n", "-r", phpParser)
	cmd.Stdin, cmd.Stderr = &in, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	answers := strings.Split(string(out), "\n")
	for i, line := range lines {
		var want [][]string
		if err := json.Unmarshal([]byte(answers[i]), &want); err != nil {
			t.Fatal(err)
		}
		for _, words := range want {
			for j := range words {
				text, err := base64.StdEncoding.DecodeString(words[j])
				if err != nil {
					t.Fatal(err)
				}
				words[j] = string(text)
			}
		}
		var r recorder
		got := [][]string{}
		if _, err := parseLine(line, newLoader(Options{}).env, &r); err != nil {
			got = nil
		} else if strings.HasPrefix(line, "[") {
			got = append(got, r.sections...)
			if len(got) > 1 {
				got = got[:1]
			}
		} else {
			got = append(got, r.values...)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("line %q (-php +own)\n%s", line, diff)
		}
	}
}
