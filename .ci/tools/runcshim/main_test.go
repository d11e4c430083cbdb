package main

import "testing"

func TestWithoutCapability(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		in, want  string
		isProcess bool
	}{
		"a bundle's config": {
			in:   `{"ociVersion":"1.2","process":{"args":["x"],"capabilities":{"bounding":["CAP_SYS_RESOURCE","CAP_KILL"],"effective":["CAP_SYS_RESOURCE"]}}}`,
			want: `{"ociVersion":"1.2","process":{"args":["x"],"capabilities":{"bounding":["CAP_KILL"],"effective":[]}}}`,
		},
		"a process": {
			in:        `{"args":["x"],"capabilities":{"bounding":["CAP_KILL","CAP_SYS_RESOURCE"]}}`,
			want:      `{"args":["x"],"capabilities":{"bounding":["CAP_KILL"]}}`,
			isProcess: true,
		},
		"no capabilities": {in: `{"process":{"args":["x"]}}`, want: `{"process":{"args":["x"]}}`},
	} {
		got, err := withoutCapability([]byte(test.in), test.isProcess)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if string(got) != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
	if _, err := withoutCapability([]byte("no JSON"), true); err == nil {
		t.Error("accepted what is no JSON")
	}
}

func TestSpecOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args      []string
		want      string
		isProcess bool
	}{
		{[]string{"--root", "/r", "--log", "/l", "create", "--bundle", "/b", "--pid-file", "/p", "id"}, "/b/config.json", false},
		{[]string{"run", "-b=/b", "id"}, "/b/config.json", false},
		{[]string{"exec", "--process", "/p.json", "--detach", "id"}, "/p.json", true},
		{[]string{"--root", "/r", "delete", "--force", "id"}, "", false},
		{[]string{"--version"}, "", false},
	} {
		if got, isProcess := specOf(test.args); got != test.want || isProcess != test.isProcess {
			t.Errorf("%q: %q, %t; want %q, %t", test.args, got, isProcess, test.want, test.isProcess)
		}
	}
}
