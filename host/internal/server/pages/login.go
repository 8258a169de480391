package pages

import (
	"net/http"
	"net/url"
	"time"

	"wasmhost/host/internal/server"
)

// bare makes the pages that need no service.
var bare = (&Pages{now: time.Now, notices: newNotices(time.Now)}).parse()

// loginForm asks for a token, and says where to get a link instead.
type loginForm struct {
	Message string
	Next    string
}

// Login is the page that asks who is there; message says what went wrong before.
// See server.Config.LoginPage.
func Login(w http.ResponseWriter, r *http.Request, message string) {
	next := r.FormValue("next")
	if u, err := url.Parse(next); err != nil || u.Host != "" || u.Scheme != "" || len(next) < 1 || next[0] != '/' {
		next = ""
	}
	v := &view{Name: "login", Title: "Log in", Body: loginForm{Message: message, Next: next}, Status: http.StatusOK}
	if message != "" {
		v.Status = http.StatusUnauthorized
	}
	bare.answer(w, r, v)
}

// Problem is the page in place of one that is not shown. See
// server.Config.PageProblem.
func Problem(w http.ResponseWriter, r *http.Request, p *server.Problem) {
	if (p.Status == http.StatusUnauthorized || p.Code == "too_many_failures") && r.Method == http.MethodGet {
		form := loginForm{Next: r.URL.RequestURI()}
		if p.Status != http.StatusUnauthorized {
			form.Message = p.Detail
		}
		bare.answer(w, r, &view{Name: "login", Title: "Log in", Body: form, Status: p.Status})
		return
	}
	bare.answer(w, r, problemView(p))
}
