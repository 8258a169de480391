package server

import (
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strings"
)

// loginForm opens a session for the link of a login (?token=…), or asks for a
// token. A link works once: whoever finds it in a history finds it spent. A token
// works on and on, so it is taken from the form alone: it has no place in an
// address, and a page of another site could send a browser there.
func loginForm(c *call) error {
	if c.cfg.NoAuth {
		http.Redirect(c.w, c.r, "/", http.StatusSeeOther)
		return nil
	}
	q := c.r.URL.Query()
	if q.Has("token") && c.r.Method == http.MethodGet {
		return c.logIn(c.cfg.Tokens.openLink, q.Get("token"), q.Get("next"), "this link was used already, or is older than ten minutes; host prints a new one when it starts, and admins may ask for one")
	}
	c.askToken(http.StatusOK, "")
	return nil
}

func logIn(c *call) error {
	if c.cfg.NoAuth {
		http.Redirect(c.w, c.r, "/", http.StatusSeeOther)
		return nil
	}
	form, err := url.ParseQuery(string(c.body))
	if err != nil {
		return refusal("bad_request", "the form cannot be read: "+err.Error())
	}
	c.r.Form = form // the page that asks again has to know where to go on
	return c.logIn(c.cfg.Tokens.open, strings.TrimSpace(form.Get("token")), form.Get("next"), "the server does not know this token")
}

func (c *call) logIn(open func(secret string) (string, Identity, error), secret, next, wrong string) error {
	c.change.action = "login" // also of a link, which is a GET
	cookie, who, err := open(secret)
	if errors.Is(err, errNobody) {
		if !c.failures.allow(address(c.r)) {
			wrong, c.quiet = "too many attempts; wait a minute", true
		}
		c.change.Err = refusal("unauthorized", "the token is not right")
		c.askToken(http.StatusUnauthorized, wrong)
		return nil
	}
	if err != nil {
		return err
	}
	c.who, c.change.Target = who, who.Name
	http.SetCookie(c.w, &http.Cookie{Name: cookieName(c.r), Value: cookie, Path: "/", MaxAge: int(sessionTime.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: c.cfg.Secure || c.r.TLS != nil})
	http.Redirect(c.w, c.r, local(next), http.StatusSeeOther)
	return nil
}

// logOut ends the session of the cookie, if there is one.
func logOut(c *call) error {
	if c.who.Session {
		c.cfg.Tokens.end(c.who)
	}
	http.SetCookie(c.w, &http.Cookie{Name: cookieName(c.r), Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: c.cfg.Secure || c.r.TLS != nil})
	http.Redirect(c.w, c.r, "/login", http.StatusSeeOther)
	return nil
}

// local is where to go after the login: a path of this server and nowhere else.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}

// askToken shows the form that asks for a token.
func (c *call) askToken(status int, message string) {
	if c.cfg.LoginPage != nil {
		c.cfg.LoginPage(c.w, c.r, message)
		return
	}
	c.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	c.w.WriteHeader(status)
	_ = loginPage.Execute(c.w, struct{ Message, Next string }{message, local(c.r.FormValue("next"))})
}

var loginPage = template.Must(template.New("login").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Log in</title></head>
<body><h1>Log in</h1>{{with .Message}}<p role="alert">{{.}}</p>{{end}}
<form method="post" action="/login"><input type="hidden" name="next" value="{{.Next}}">
<label>Token <input type="password" name="token" autocomplete="off" required></label> <button>Log in</button></form></body></html>
`))
