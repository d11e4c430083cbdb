package embedded

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/eventually"
)

// TestTwoAtOnce boots two clusters at once, looks at what one offers, breaks the other, and deletes both.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	names := []string{"one", "two"}
	clusters := make([]*Cluster, len(names))
	t.Run("boot", func(t *testing.T) {
		for i, name := range names {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				c, err := p.create(t.Context(), cluster.Spec{Name: name, Nodes: 2})
				if err != nil {
					t.Fatal(err)
				}
				clusters[i] = c
			})
		}
	})
	one, two := clusters[0], clusters[1]
	if one == nil || two == nil {
		t.FailNow()
	}
	if _, err := p.Create(t.Context(), cluster.Spec{Name: "one"}); !errors.Is(err, ErrNameTaken) {
		t.Errorf("a second cluster of the same name: %v", err)
	}
	checkOffers(t, one)
	checkStrangers(t, one, two)
	checkEtcdIsPrivate(t, one)
	checkDeath(t, two)
	for _, c := range clusters {
		pids := c.PIDs()
		for range 2 {
			if err := c.Delete(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		checkGone(t, pids, c.dir)
	}
	if left, err := p.List(); err != nil || len(left) > 0 {
		t.Errorf("the journal still holds %v (%v)", left, err)
	}
}

// checkOffers looks at what a cluster offers.
func checkOffers(t *testing.T, c *Cluster) {
	t.Helper()
	client, err := kubernetes.NewForConfig(c.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(nodes.Items) != 2 || nodes.Items[0].Status.NodeInfo.KubeletVersion != c.Version() || !strings.HasPrefix(c.Version(), "v1.") {
		t.Errorf("version %q, nodes: %+v", c.Version(), nodes.Items)
	}
	for _, n := range nodes.Items {
		if !nodeReady(&n) || len(n.Spec.Taints) > 0 {
			t.Errorf("node %s cannot take pods: %+v %+v", n.Name, n.Spec, n.Status)
		}
	}
	resources, err := client.Discovery().ServerResourcesForGroupVersion("admissionregistration.k8s.io/v1")
	if err != nil {
		t.Fatal(err)
	}
	served := map[string]bool{}
	for _, r := range resources.APIResources {
		served[r.Name] = true
	}
	if !served["mutatingadmissionpolicies"] || !served["validatingadmissionpolicies"] {
		t.Errorf("admission policies are not served: %v", served)
	}
	// Charts of API servers read it: it tells whom to trust. The API server makes it soon after it answers.
	eventually.Holds(t, "the ConfigMap of client authorities", func() bool {
		trusted, err := client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(t.Context(), "extension-apiserver-authentication", metav1.GetOptions{})
		return err == nil && trusted.Data["client-ca-file"] != ""
	})
	logs := t.TempDir()
	if err := c.CollectLogs(t.Context(), logs); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(filepath.Join(logs, apiserver+".log")); err != nil || len(content) == 0 {
		t.Errorf("log of %s: %d bytes, %v", apiserver, len(content), err)
	}
	if info, err := os.Stat(c.CacheDir()); err != nil || !info.IsDir() {
		t.Errorf("cache folder: %v", err)
	}
}

// checkStrangers: the API server knows the user of its own kubeconfig, and nobody else, not even another cluster's.
func checkStrangers(t *testing.T, c, other *Cluster) {
	t.Helper()
	known, err := clientcmd.BuildConfigFromFlags("", c.KubeconfigPath())
	if err != nil {
		t.Fatal(err)
	}
	nobody, foreign := rest.AnonymousClientConfig(known), rest.CopyConfig(known)
	foreign.CertData, foreign.KeyData = other.RESTConfig().CertData, other.RESTConfig().KeyData
	for name, test := range map[string]struct {
		config  *rest.Config
		refused bool
	}{
		"its own kubeconfig":    {known, false},
		"no certificate":        {nobody, true},
		"another's certificate": {foreign, true},
	} {
		client, err := kubernetes.NewForConfig(test.config)
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
		if apierrors.IsUnauthorized(err) != test.refused || !test.refused && err != nil {
			t.Errorf("%s: refused is to be %v: %v", name, test.refused, err)
		}
	}
}

// checkEtcdIsPrivate tries to reach etcd as another user, and over TCP.
func checkEtcdIsPrivate(t *testing.T, c *Cluster) {
	t.Helper()
	socket := filepath.Join(c.dir, "etcd.sock")
	if out, err := helper(t, "dial", socket).CombinedOutput(); err != nil {
		t.Fatalf("the user cannot reach etcd: %v: %s", err, out)
	}
	if info, err := os.Stat(c.dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("others can enter %s: %v %v", c.dir, info.Mode(), err)
	}
	if runtime.GOOS == "linux" {
		checkListeners(t, c.PIDs()[etcd])
	}
	if os.Getuid() != 0 {
		t.Log("not root: cannot try it as another user")
		return
	}
	stranger := helper(t, "dial", socket)
	stranger.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	stranger.Path = publicCopy(t, stranger.Path)
	out, err := stranger.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "permission denied") {
		t.Errorf("another user reaches etcd: %v: %s", err, out)
	}
}

// publicCopy copies a program to where every user can run it.
func publicCopy(t *testing.T, path string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rehearse-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dir, "helper")
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(to, content, 0o755)); err != nil {
		t.Fatal(err)
	}
	return to
}

// checkListeners makes sure that a process listens on sockets of files alone: a TCP port has no guard, nor has a
// socket in Linux's abstract namespace.
func checkListeners(t *testing.T, pid int) {
	t.Helper()
	mine := map[string]bool{}
	links, err := filepath.Glob(filepath.Join("/proc", itoa(pid), "fd", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, "socket:[") {
			mine[strings.Trim(target, "socket:[]")] = true
		}
	}
	if len(mine) == 0 {
		t.Fatal("etcd has no sockets at all")
	}
	// The inode's column, that of the state, and what it is when listening.
	for table, c := range map[string]struct {
		inode, state int
		listening    string
	}{"tcp": {9, 3, "0A"}, "tcp6": {9, 3, "0A"}, "unix": {6, 3, "00010000"}} {
		content, err := os.ReadFile("/proc/net/" + table)
		if err != nil {
			t.Log(err) // no IPv6 here
		}
		for line := range strings.Lines(string(content)) {
			f := strings.Fields(line)
			if len(f) <= c.inode || !mine[f[c.inode]] || f[c.state] != c.listening {
				continue
			}
			if table != "unix" || strings.HasPrefix(f[len(f)-1], "@") {
				t.Errorf("etcd listens where others can reach it: %s %s", table, line)
			}
		}
	}
}

// checkDeath kills a component, which the cluster must notice.
func checkDeath(t *testing.T, c *Cluster) {
	t.Helper()
	if err := c.Cause(); err != nil {
		t.Fatalf("it died too early: %v", err)
	}
	if err := syscall.Kill(c.PIDs()[scheduler], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-c.Died()
	var ended *ComponentError
	if !errors.As(c.Cause(), &ended) || ended.Component != scheduler {
		t.Errorf("cause: %v", c.Cause())
	}
}

func checkGone(t *testing.T, pids map[string]int, dir string) {
	t.Helper()
	for name, pid := range pids {
		eventually.Holds(t, name+" is gone", func() bool {
			_, err := journal.Lookup(pid)
			return errors.Is(err, syscall.ESRCH)
		})
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", dir, err)
	}
}

// TestPortTaken gives the API server ports that others listen on.
func TestPortTaken(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	port := taken.Addr().(*net.TCPAddr).Port
	t.Run("once", func(t *testing.T) {
		p := newProvider(t)
		first := true
		p.freePort = func() (int, error) {
			if first {
				first = false
				return port, nil
			}
			return freePort()
		}
		boot(t, p, cluster.Spec{Nodes: 1})
		if first {
			t.Error("the taken port was not tried")
		}
	})
	t.Run("always", func(t *testing.T) {
		p := newProvider(t)
		p.freePort = func() (int, error) { return port, nil }
		_, err := p.Create(t.Context(), cluster.Spec{})
		if !errors.Is(err, errPortTaken) {
			t.Errorf("error: %v", err)
		}
		checkNothingLeft(t, p)
	})
}

func checkNothingLeft(t *testing.T, p *Provider) {
	t.Helper()
	if left, err := p.List(); err != nil || len(left) > 0 {
		t.Errorf("left in the journal: %v %v", left, err)
	}
}

// TestBadBinary offers things that are no control plane.
func TestBadBinary(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, test := range map[string]struct {
		path string
		// want must be in the error.
		want string
	}{
		"missing":        {filepath.Join(dir, "none"), "no such file"},
		"a folder":       {dir, "not an executable file"},
		"not executable": {write("text", "text", 0o644), "not an executable file"},
		"not a program":  {write("garbage", "\x7fELF and then nothing", 0o755), "a kube binary for this machine?"},
		"ends at once":   {write("quitter", "#!/bin/sh\necho oh dear >&2\nexit 7\n", 0o755), " ended: exit status 7; the end of its log:\noh dear"},
		"only etcd works": {
			write("lazy", "#!/bin/sh\n[ $1 = etcd ] && exec sleep 60\necho no such component; exit 2\n", 0o755),
			"kube-apiserver ended: exit status 2",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := New(WithKubeBinary(test.path), WithStateRoot(t.TempDir()), WithDataRoot(t.TempDir()))
			_, err := p.Create(t.Context(), cluster.Spec{})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error: %v\nwant it to contain: %s", err, test.want)
			}
			checkNothingLeft(t, p)
			if left, _ := filepath.Glob(filepath.Join(p.dataRoot, "*")); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// TestNameOfTheDead makes a cluster of the name of one that a killed process left.
func TestNameOfTheDead(t *testing.T) {
	t.Parallel()
	p := New(WithKubeBinary("/bin/false"), WithStateRoot(t.TempDir()), WithDataRoot(t.TempDir()))
	left := filepath.Join(p.dataRoot, "rehearse-left")
	if out, err := helper(t, "abandon", p.stateRoot, "taken", left).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	_, err := p.Create(t.Context(), cluster.Spec{Name: "taken"})
	var ended *ComponentError
	if !errors.As(err, &ended) { // it got as far as starting /bin/false
		t.Errorf("error: %v", err)
	}
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was left is still there: %v", err)
	}
	checkNothingLeft(t, p)
}

// TestBadSpec asks for clusters that cannot be.
func TestBadSpec(t *testing.T) {
	t.Parallel()
	for _, spec := range []cluster.Spec{{Name: "Upper"}, {Name: "-"}, {Name: "../x"}, {Nodes: -1}, {Nodes: maxNodes + 1}} {
		if _, err := New(WithStateRoot(t.TempDir())).Create(t.Context(), spec); err == nil {
			t.Errorf("accepted: %+v", spec)
		}
	}
}

// TestDiskFull boots on a file system that is too small for etcd.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("needs root on Linux, to mount a small file system")
	}
	small := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small).CombinedOutput(); err != nil {
		t.Skipf("cannot mount a small file system: %v: %s", err, out)
	}
	defer func() {
		if out, err := exec.Command("umount", small).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	}()
	p := newProvider(t, WithDataRoot(small))
	_, err := p.Create(t.Context(), cluster.Spec{})
	if !errors.Is(err, ErrNoSpace) {
		t.Errorf("error: %v", err)
	}
	checkNothingLeft(t, p)
}
