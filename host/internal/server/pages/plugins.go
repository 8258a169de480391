package pages

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"wasmhost/host/event"
	"wasmhost/host/internal/server"
)

// pluginPage is a plugin and its versions.
type pluginPage struct {
	Plugin *event.PluginInfo
	Base   string
	Trial  *event.PluginVersion // a canary or shadow that goes on
	Before *event.PluginVersion // what roll back goes back to
}

func (p *Pages) plugins(r *http.Request) (*view, error) {
	all, err := p.service.Plugins(r.Context())
	if err != nil {
		return nil, err
	}
	return &view{Name: "plugins", Title: "Plugins", Nav: "plugins", Body: all, Every: 4}, nil
}

func (p *Pages) plugin(r *http.Request) (*view, error) {
	info, err := p.service.Plugin(r.Context(), r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	b := pluginPage{Plugin: info, Base: "/plugins/" + url.PathEscape(info.Name)}
	for i := range info.Versions {
		switch v := &info.Versions[i]; v.State {
		case event.VersionCanary, event.VersionShadow:
			b.Trial = v
		case event.VersionPrevious, event.VersionDraining:
			if b.Before == nil {
				b.Before = v
			}
		}
	}
	return &view{Name: "plugin", Title: "Plugin " + info.Name, Nav: "plugins", Body: &b, Every: 3}, nil
}

// swap takes a module from a form, or reads the source again.
func (p *Pages) swap(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	page := "/plugins/" + url.PathEscape(name)
	req, err := swapRequest(r)
	if err != nil {
		p.done(w, r, page, "", err)
		return
	}
	req.Plugin, req.By = name, server.IdentityOf(r.Context()).By()
	report, err := p.service.Swap(r.Context(), req)
	if err != nil {
		p.done(w, r, page, "", err)
		return
	}
	change := server.ChangeOf(r.Context())
	change.Detail = fmt.Sprintf("%s → %s, %s", short(report.From), cmp.Or(short(report.To), "none"), report.Mode)
	n := notice{Report: report}
	switch {
	case report.Refused != nil:
		change.Err = report.Refused
		n.Bad, n.Text = true, "The new version was refused; the old one goes on: "+report.Refused.Message
	case report.Unchanged:
		n.Text = "Nothing changed: this module is the current version already."
	case report.Mode == event.SwapCanary:
		n.Text = "The new version is on trial: it gets every tenth call."
	case report.Mode == event.SwapShadow:
		n.Text = "The new version runs beside the old one, and never answers."
	default:
		n.Text = "The new version gets all new calls; the old one finishes what it has begun."
	}
	p.goTo(w, r, page, n)
}

func swapRequest(r *http.Request) (event.SwapRequest, error) {
	var s event.SwapRequest
	bad := func(format string, a ...any) error {
		return &event.Error{Class: event.Permanent, Code: "bad_request", Message: fmt.Sprintf(format, a...)}
	}
	if err := r.ParseMultipartForm(8 << 20); err != nil {
		return s, bad("the form cannot be read: %v", err)
	}
	defer func() { _ = r.MultipartForm.RemoveAll() }() // its file, when it was a large one
	if r.PostFormValue("from") != "source" {
		file, _, err := r.FormFile("module")
		if err != nil {
			return s, bad("no module was chosen: choose a file, or have the plugin's source read again")
		}
		defer file.Close()
		if s.Module, err = io.ReadAll(file); err != nil {
			return s, bad("the module cannot be read: %v", err)
		}
		if len(s.Module) == 0 {
			return s, bad("the module is empty: choose a file, or have the plugin's source read again")
		}
	}
	s.Mode = event.SwapMode(r.PostFormValue("mode"))
	switch s.Mode {
	case event.SwapNow, event.SwapCanary, event.SwapShadow:
	default:
		return s, bad("there is no mode %q: there are now, canary and shadow", s.Mode)
	}
	if text := strings.TrimSpace(r.PostFormValue("good")); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1_000_000 {
			return s, bad("%q good calls: it must be a whole number from 1", text)
		}
		s.Good = n
	}
	if text := strings.TrimSpace(r.PostFormValue("same")); text != "" {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || n <= 0 || n > 100 {
			return s, bad("%q percent of the calls alike: it must be a number up to 100", text)
		}
		s.Same = n / 100
	}
	s.AcceptPermissions = r.PostFormValue("accept_permissions") == "true"
	s.Unpin = r.PostFormValue("unpin") == "true"
	s.Replay = r.PostFormValue("replay") == "true"
	return s, nil
}

func (p *Pages) rollback(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	info, err := p.service.Rollback(r.Context(), name, server.IdentityOf(r.Context()).By())
	text := ""
	if err == nil {
		text = "Rolled back: new calls go to " + short(info.Digest) + "."
	}
	p.done(w, r, "/plugins/"+url.PathEscape(name), text, err)
}

func (p *Pages) promote(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	info, err := p.service.Promote(r.Context(), name, server.IdentityOf(r.Context()).By())
	text := ""
	if err == nil {
		text = "Promoted: new calls go to " + short(info.Digest) + "."
	}
	p.done(w, r, "/plugins/"+url.PathEscape(name), text, err)
}
