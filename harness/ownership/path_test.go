package ownership_test

import (
	"errors"
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/ownership"
)

func TestParsePath(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		text string
		// want is the canonical text; the same as text if empty.
		want string
		// wantErr is text of the error.
		wantErr string
	}{
		{text: ""},
		{text: ".spec.replicas"},
		{text: ".spec.template.spec.containers[name=app].env[name=X].value"},
		{text: `.metadata.annotations["meta.helm.sh/release-name"]`},
		{text: `.metadata["labels"]`, want: ".metadata.labels"},
		{text: `.spec.ports[protocol=TCP,containerPort=80]`, want: ".spec.ports[containerPort=80,protocol=TCP]"},
		{text: ".spec.command[0]"},
		{text: `.metadata.finalizers[=kubernetes.io/pv-protection]`},
		{text: `.a[=x,y]`, wantErr: "] is missing"},
		{text: `.a[="x,y"]`},
		{text: `.a[k="]"].b`},
		{text: `.a[k=]`},
		{text: "spec", wantErr: "at character 1: a field begins with . or ["},
		{text: ".spec..x", wantErr: "at character 7: a field name must follow the dot"},
		{text: ".spec.", wantErr: "a field name must follow the dot"},
		{text: ".a[-1]", wantErr: `"-1" is no index`},
		{text: ".a[x]", wantErr: `"x" is no index`},
		{text: ".a[k=v,2]", wantErr: `"2" is no index`},
		{text: ".a[=v", wantErr: "] is missing"},
		{text: ".a[", wantErr: `"" is no index`},
		{text: `.a["x`, wantErr: "not closed"},
		{text: `.a[,=x]`, wantErr: "is no index"},
		{text: `.a[k=v,=x]`, wantErr: "needs a name"},
		{text: `.a[k=v,"=x]`, wantErr: "needs a name"},
		{text: ".a]b", wantErr: "begins with"},
	} {
		path, err := ownership.ParsePath(tc.text)
		if tc.wantErr != "" {
			if !errors.Is(err, ownership.ErrPath) || !strings.Contains(err.Error(), tc.wantErr) {
				t.Errorf("%q: err = %v", tc.text, err)
			}
			continue
		}
		want := tc.want
		if want == "" {
			want = tc.text
		}
		if err != nil || path.String() != want {
			t.Errorf("%q = %q, %v", tc.text, path, err)
		}
	}
}

func FuzzParsePath(f *testing.F) {
	for _, seed := range []string{".a.b", `.a["x.y"][k=v,l="w]"][=z][0]`, `[""]`, ".a[k="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path, err := ownership.ParsePath(text)
		if err != nil {
			return
		}
		again, err := ownership.ParsePath(path.String())
		if err != nil || again.String() != path.String() {
			t.Errorf("%q reads as %q, and that as %q, %v", text, path, again, err)
		}
	})
}

func TestCovers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		top, path string
		want      bool
	}{
		{"", ".a", true},
		{".a", ".a", true},
		{".a", ".a.b", true},
		{".a.b", ".a", false},
		{".a", ".ab", false},
		{".p[port=80]", ".p[port=80,protocol=TCP].name", true},
		{".p[port=80,protocol=TCP]", ".p[port=80]", false},
		{".p[name=x]", ".p[name=y]", false},
		{".p[0]", ".p[0].x", true},
		{".p[0]", ".p[1]", false},
	} {
		if got := parse(t, tc.top).Covers(parse(t, tc.path)); got != tc.want {
			t.Errorf("%q covers %q: %v", tc.top, tc.path, got)
		}
	}
}

func parse(t *testing.T, text string) ownership.Path {
	t.Helper()
	p, err := ownership.ParsePath(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
