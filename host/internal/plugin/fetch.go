package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"wasmhost/host/event"
)

// maxFetch is how long a module may take to come, when the caller sets no
// shorter time.
const maxFetch = 2 * time.Minute

// fetch gets a module by https: no proxy, redirects to https only, addresses
// that are not public only for a source that names them itself, at most
// MaxModuleBytes. What was fetched is kept in the cache under its digest and
// checked again when it is taken from there.
func (r *Runtime) fetch(ctx context.Context, from string, headers map[string]string, digest string) ([]byte, *event.Error) {
	kept := ""
	if r.cfg.CacheDir != "" {
		if err := privateDir(r.cfg.CacheDir); err != nil {
			return nil, fault(event.System, codeHost, "the cache of modules cannot be used: %v", err)
		}
		kept = filepath.Join(r.cfg.CacheDir, "modules", filepath.Base(strings.TrimPrefix(digest, "sha256:")))
		if data, err := os.ReadFile(kept); err == nil {
			if digestOf(data) == digest {
				return data, nil
			}
			os.Remove(kept)
		}
	}
	data, failed := r.download(ctx, from, headers)
	if failed != nil {
		return nil, failed
	}
	if got := digestOf(data); got != digest {
		return nil, fault(event.Permanent, codeDigest, "%s has the digest %s, but %s is wanted; if the new content is what you mean, put its digest into sha256", from, got, digest)
	}
	if kept != "" {
		if err := writeWhole(kept, data); err != nil {
			return nil, fault(event.System, codeHost, "the fetched module cannot be kept: %v", err)
		}
	}
	return data, nil
}

func (r *Runtime) download(ctx context.Context, from string, headers map[string]string) ([]byte, *event.Error) {
	u, err := url.Parse(from)
	if err != nil {
		return nil, fault(event.Permanent, codeFetch, "%q is not a URL: %v", from, err)
	}
	own, err := parseOrigin(u.Scheme + "://" + u.Host)
	if err != nil {
		return nil, fault(event.Permanent, codeFetch, "%s: %v", from, err)
	}
	transport := guardedTransport(addressRules{own}, r.cfg.RootCAs)
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		if req.URL.Scheme != "https" {
			return fmt.Errorf("it redirects to %s, which is not https", req.URL.Redacted())
		}
		if len(via) >= 5 {
			return errors.New("it redirects more than 5 times")
		}
		if !sameOrigin(req.URL, via[0].URL) {
			req.Header = http.Header{}
		}
		return nil
	}}
	ctx, cancel := context.WithTimeout(ctx, maxFetch)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, fault(event.Permanent, codeFetch, "%s: %v", from, err)
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		var refused *addressError
		if errors.As(err, &refused) {
			return nil, fault(event.Permanent, codeFetch, "%s cannot be fetched: %v", from, refused)
		}
		return nil, &event.Error{Class: event.Transient, Code: codeFetch, Message: fmt.Sprintf("%s cannot be fetched: %v", from, bareError(err)), Cause: err}
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone:
		return nil, fault(event.Permanent, codeNotFound, "%s: %s", from, resp.Status)
	case resp.StatusCode != http.StatusOK:
		class := event.Permanent
		if resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests {
			class = event.Transient
		}
		return nil, fault(class, codeFetch, "%s cannot be fetched: %s", from, resp.Status)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, r.cfg.MaxModuleBytes+1))
	if err != nil {
		return nil, &event.Error{Class: event.Transient, Code: codeFetch, Message: fmt.Sprintf("%s was cut off after %d bytes: %v", from, len(data), err), Cause: err}
	}
	if int64(len(data)) > r.cfg.MaxModuleBytes {
		return nil, fault(event.Permanent, codeFetch, "%s has more than the %s that are read of a module", from, size(r.cfg.MaxModuleBytes))
	}
	return data, nil
}

// writeWhole writes a file so that nobody sees half of it.
func writeWhole(path string, data []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err := f.Write(data); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// bareError is err without the method and URL that net/http puts before it.
func bareError(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
