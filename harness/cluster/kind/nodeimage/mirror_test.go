package nodeimage

import "testing"

func TestChooseMirror(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ targets, want string }{
		"none": {"", ""},
		"the suite itself, not its updates": {
			"http://a.example/debian|bookworm-updates|main\nhttp://b.example/debian|bookworm|contrib\nhttp://c.example/debian|bookworm|main\n",
			"http://c.example/debian",
		},
		"the first of several":   {"https://a.example/x|bookworm|main\nhttp://b.example/debian|bookworm|main\n", "https://a.example/x"},
		"another suite":          {"http://a.example/debian|trixie|main\n", ""},
		"an unknown protocol":    {"cdrom://disk|bookworm|main\nfile:/srv/debian|bookworm|main\n", "file:/srv/debian"},
		"what apt never printed": {"nonsense\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := chooseMirror(test.targets); got.site != test.want {
				t.Errorf("site %q, want %q", got.site, test.want)
			}
		})
	}
}
