package testkit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
)

// chromium is the one browser of this process. It is spoken to through a pipe: no port, and where the kernel does not
// end it with its parent, the closed pipe does.
type chromium struct {
	child   *child
	dir     string
	context context.Context // whose children are tabs
}

// chromiumFlags keep the browser to itself: no sandbox (it only sees the tests' own pages, and as root there is none),
// no calls home, no names but this machine's, every frame in its page's process so that nothing happens unseen, and no
// rest for pages that nobody looks at.
var chromiumFlags = []string{
	"--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
	"--no-first-run", "--no-default-browser-check", "--disable-extensions", "--disable-default-apps", "--disable-sync",
	"--disable-background-networking", "--disable-component-update", "--disable-breakpad", "--disable-crash-reporter",
	"--metrics-recording-only", "--safebrowsing-disable-auto-update", "--disable-client-side-phishing-detection",
	"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1, EXCLUDE [::1]",
	"--disable-site-isolation-trials", "--disable-features=Translate,SitePerProcess,IsolateOrigins,IsolateSandboxedIframes",
	"--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding",
	"--disable-ipc-flooding-protection", "--disable-hang-monitor", "--disable-prompt-on-repost", "--disable-popup-blocking",
	"--mute-audio", "--hide-scrollbars", "--force-color-profile=srgb", "--password-store=basic", "--use-mock-keychain",
	"--lang=en-US",
}

var startMainChromium = sync.OnceValues(func() (*chromium, error) {
	c, err := newChromium()
	if err != nil {
		return nil, err
	}
	atExit(func() { c.child.stop(syscall.SIGTERM, 5*time.Second) })
	return c, nil
})

func mainChromium(t testing.TB) *chromium {
	t.Helper()
	c, err := startMainChromium()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newChromium() (*chromium, error) {
	program, err := browserProgram()
	if err != nil {
		return nil, err
	}
	dir, err := tempDir(diskRoot, "chromium")
	if err != nil {
		return nil, err
	}
	commands, toBrowser, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make the browser's pipe: %w", err)
	}
	fromBrowser, answers, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make the browser's pipe: %w", err)
	}
	cmd := exec.Command(program, append(chromiumFlags, "--user-data-dir="+dir, "about:blank")...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir, "TZ=UTC", "LANG=en_US.UTF-8"}
	cmd.ExtraFiles = []*os.File{commands, answers} // its descriptors 3 and 4
	c := &chromium{dir: dir}
	c.child, err = startChild(cmd, syscall.SIGKILL)
	_ = commands.Close()
	_ = answers.Close()
	if err != nil {
		return nil, err
	}
	if err := c.connect(chromedp.NewPipeConn(fromBrowser, toBrowser)); err != nil {
		c.child.kill()
		return nil, err
	}
	return c, nil
}

// connect waits until the browser answers.
func (c *chromium) connect(pipe *chromedp.PipeConn) error {
	quiet := func(string, ...any) {} // events of a browser newer than the library are no news
	conn, err := chromedp.NewBrowserTransport(context.Background(), pipe,
		chromedp.WithBrowserLogf(quiet), chromedp.WithBrowserErrorf(quiet))
	if err != nil {
		return fmt.Errorf("connect to the browser: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if _, err := cdp.Call(ctx, conn, browser.GetVersion, cdp.Empty{}); err != nil {
		return fmt.Errorf("%s does not answer: %w\n%s", c.child.cmd.Path, err, c.child.log.tail(20))
	}
	c.context, _ = chromedp.NewAllocatorContext(context.Background(), running{conn})
	return nil
}

// running hands out the browser that runs already.
type running struct{ browser *chromedp.Browser }

func (r running) Allocate(context.Context, ...chromedp.BrowserOption) (*chromedp.Browser, error) {
	return r.browser, nil
}
func (running) Wait()          {}
func (running) Attaches() bool { return true }

// browserProgram finds Chromium or Chrome, or takes the one that TESTKIT_BROWSER names. Chromium without its windows comes
// first: it is the same engine and opens a page in two thirds of the time. chromium-browser comes last: Ubuntu's package
// of that name may be only a hint to install something else, which ends at once.
func browserProgram() (string, error) {
	if program := os.Getenv("TESTKIT_BROWSER"); program != "" {
		return program, nil
	}
	names := []string{"chromium-headless-shell", "chromium", "google-chrome-stable", "google-chrome", "chromium-browser"}
	if runtime.GOOS == "darwin" {
		for _, app := range []string{"Google Chrome", "Chromium"} {
			program := filepath.Join("Applications", app+".app", "Contents", "MacOS", app)
			names = append(names, "/"+program, filepath.Join(os.Getenv("HOME"), program))
		}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no browser found: these tests need Chromium or Chrome; `make test` installs it, or install " +
		"the package chromium-headless-shell (Debian; Ubuntu: google-chrome-stable) or google-chrome (Homebrew)")
}
