package dashboard

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"outpost/jobs"
	"outpost/models"
	"outpost/outbox"
)

func TestTheQueuesShowIDsAndCannotBeTouched(t *testing.T) {
	t.Parallel()
	redis := miniredis.RunT(t)
	queue, err := jobs.Connect("redis://" + redis.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { queue.Close() })
	op := outbox.Operation(models.KindUserUpsert, outbox.ID(), "", models.ResourceUser, outbox.ID(), 1, time.Now())
	name, err := queue.Enqueue(t.Context(), op, false)
	if err != nil {
		t.Fatal(err)
	}
	h := Monitoring(queue.Connection(), "/monitoring")
	tasks := get(h, "/monitoring/api/queues/"+name+"/pending_tasks")
	if tasks.Code != 200 || !strings.Contains(tasks.Body.String(), `"payload":"`+op.ID+`"`) {
		t.Errorf("%d %s", tasks.Code, tasks.Body)
	}
	for method, path := range map[string]string{"POST": "/queues/" + name + ":pause", "DELETE": "/queues/" + name} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, "/monitoring/api"+path, nil))
		if w.Code != 405 {
			t.Errorf("%s %s: %d", method, path, w.Code)
		}
	}
	if idOnly([]byte(`{"email":"ada@acme.test"}`)) != notShown || idOnly(nil) != "" {
		t.Error("a payload that is no id shows")
	}
}

func TestTheQueuesPageLoadsNothingFromElsewhereAndItsScriptsAreKnown(t *testing.T) {
	t.Parallel()
	redis := miniredis.RunT(t)
	queue, err := jobs.Connect("redis://" + redis.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { queue.Close() })
	h := Monitoring(queue.Connection(), "/monitoring")
	for _, path := range []string{"/monitoring", "/monitoring/", "/monitoring/queues/provision"} {
		w := get(h, path)
		page, policy := w.Body.String(), w.Header().Get("Content-Security-Policy")
		if w.Code != 200 || !strings.Contains(page, `window.FLAG_ROOT_PATH="\/monitoring"`) || !strings.Contains(page, `FLAG_READ_ONLY="true"`) {
			t.Errorf("%s: %d %s", path, w.Code, page)
		}
		if strings.Contains(page, "http://") || strings.Contains(page, "https://") {
			t.Errorf("%s loads from elsewhere: %s", path, page)
		}
		if n := strings.Count(policy, "'sha256-"); n != 2 || strings.Count(page, "<script>") != n {
			t.Errorf("%s: %d scripts, policy %s", path, n, policy)
		}
		script := policy[strings.Index(policy, "script-src"):strings.Index(policy, "style-src")]
		if strings.Contains(script, "unsafe") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("policy %s", policy)
		}
	}
	w := get(h, "/monitoring/static/js/main.5adda2da.chunk.js")
	if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/javascript") {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func get(h http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w
}
