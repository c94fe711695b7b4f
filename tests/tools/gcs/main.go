// A server of Google's buckets for tests: fake-gcs-server, and before it what that lacks and obstore sends. It has no
// uploads of Google's XML API, and its errors have none of that API's codes.
package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

const host = "127.0.0.1"

func main() {
	port := flag.Int("port", 0, "")
	folder := flag.String("folder", "", "what is stored; with -versioning, only the parts of unfinished uploads")
	versioning := flag.Bool("versioning", false, "keep all in memory, where new buckets keep what is deleted")
	flag.Parse()
	options := fakestorage.Options{NoListener: true, PublicHost: host, ExternalURL: "http://" + host}
	if !*versioning {
		options.StorageRoot = filepath.Join(*folder, "objects")
	}
	stored, err := fakestorage.NewServerWithOptions(options)
	if err != nil {
		log.Fatal(err)
	}
	front := &front{stored: stored, parts: filepath.Join(*folder, "parts"), versioning: *versioning}
	log.Fatal(http.ListenAndServe(fmt.Sprintf("%s:%d", host, *port), front))
}

type front struct {
	stored     *fakestorage.Server
	parts      string
	versioning bool
	uploads    atomic.Int64
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Host = host
	bucket, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if bucket == "buckets" { // the tests' own: PUT makes one
		f.stored.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: name, VersioningEnabled: f.versioning})
		return
	}
	query := r.URL.Query()
	if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") && query.Get("X-Goog-Signature") == "" {
		fail(w, http.StatusForbidden, "AccessDenied")
		return
	}
	if _, err := f.stored.Backend().GetBucket(bucket); err != nil {
		fail(w, http.StatusNotFound, "NoSuchBucket")
		return
	}
	folder := filepath.Join(f.parts, filepath.Base(query.Get("uploadId")))
	switch {
	case name == "" || r.Method == http.MethodGet || r.Method == http.MethodHead:
		f.stored.HTTPHandler().ServeHTTP(&answer{ResponseWriter: w}, r)
	case r.Method == http.MethodPost && query.Has("uploads"):
		f.begin(w)
	case r.Method == http.MethodPut && query.Has("uploadId"):
		keep(w, r, filepath.Join(folder, query.Get("partNumber")))
	case r.Method == http.MethodPost && query.Has("uploadId"):
		f.complete(w, r, bucket, name, folder)
	case r.Method == http.MethodDelete && query.Has("uploadId"):
		os.RemoveAll(folder)
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPut:
		f.put(w, r, bucket, name, r.Body)
	default:
		f.stored.HTTPHandler().ServeHTTP(&answer{ResponseWriter: w}, r)
	}
}

func (f *front) begin(w http.ResponseWriter) {
	id := strconv.FormatInt(f.uploads.Add(1), 10)
	if err := os.MkdirAll(filepath.Join(f.parts, id), 0o700); err != nil {
		fail(w, http.StatusInternalServerError, "InternalError")
		return
	}
	fmt.Fprintf(w, "<InitiateMultipartUploadResult><UploadId>%s</UploadId></InitiateMultipartUploadResult>", id)
}

func keep(w http.ResponseWriter, r *http.Request, path string) {
	part, err := os.Create(path)
	if err != nil {
		fail(w, http.StatusNotFound, "NoSuchUpload")
		return
	}
	defer part.Close()
	if _, err := io.Copy(part, r.Body); err != nil {
		fail(w, http.StatusBadRequest, "IncompleteBody")
		return
	}
	w.Header().Set("ETag", strconv.Quote(filepath.Base(path)))
}

func (f *front) complete(w http.ResponseWriter, r *http.Request, bucket, name, folder string) {
	var asked struct {
		Part []struct{ PartNumber, ETag string }
	}
	if err := xml.NewDecoder(r.Body).Decode(&asked); err != nil {
		fail(w, http.StatusBadRequest, "MalformedXML")
		return
	}
	var parts []io.Reader
	for _, each := range asked.Part {
		part, err := os.Open(filepath.Join(folder, each.PartNumber))
		if err != nil || each.ETag != strconv.Quote(each.PartNumber) {
			fail(w, http.StatusBadRequest, "InvalidPart")
			return
		}
		defer part.Close()
		parts = append(parts, part)
	}
	f.put(w, r, bucket, name, io.MultiReader(parts...))
	os.RemoveAll(folder)
}

// put stores an object by the JSON API, and answers as the XML API does.
func (f *front) put(w http.ResponseWriter, r *http.Request, bucket, name string, content io.Reader) {
	asked := url.Values{"uploadType": {"media"}, "name": {name}}
	if only := r.Header.Get("x-goog-if-generation-match"); only != "" {
		asked.Set("ifGenerationMatch", only)
	}
	upload := httptest.NewRequest(http.MethodPost, "/upload/storage/v1/b/"+bucket+"/o?"+asked.Encode(), content)
	upload.Host = host
	done := httptest.NewRecorder()
	f.stored.HTTPHandler().ServeHTTP(done, upload)
	if done.Code != http.StatusOK {
		fail(w, done.Code, "PreconditionFailed")
		return
	}
	var stored struct{ Generation, ETag string }
	if err := json.NewDecoder(done.Body).Decode(&stored); err != nil {
		fail(w, http.StatusInternalServerError, "InternalError")
		return
	}
	w.Header().Set("ETag", strconv.Quote(strings.Trim(stored.ETag, `"`)))
	w.Header().Set("x-goog-generation", stored.Generation)
	if r.Method == http.MethodPost {
		fmt.Fprint(w, "<CompleteMultipartUploadResult><ETag>1</ETag></CompleteMultipartUploadResult>")
	}
}

// answer is one of the JSON API; "not found" gets the body of the XML API.
type answer struct {
	http.ResponseWriter
	isMissing bool
}

func (a *answer) WriteHeader(status int) {
	if a.isMissing = status == http.StatusNotFound; a.isMissing {
		fail(a.ResponseWriter, status, "NoSuchKey")
		return
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(content []byte) (int, error) {
	if a.isMissing {
		return len(content), nil
	}
	return a.ResponseWriter.Write(content)
}

func fail(w http.ResponseWriter, status int, code string) {
	body := bytes.NewBufferString("<?xml version='1.0'?><Error><Code>" + code + "</Code></Error>")
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	body.WriteTo(w)
}
