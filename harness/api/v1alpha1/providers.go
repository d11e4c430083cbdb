package v1alpha1

// EmbeddedCluster has no settings: what an embedded cluster is made of is set on the command line.
type EmbeddedCluster struct{}

// KindCluster are the settings of a kind cluster.
type KindCluster struct {
	Image      string         `json:"image,omitempty" doc:"The node image. Empty: the one that rehearse kind-image build makes, if it is there, else kind's own default."`
	Config     map[string]any `json:"config,omitempty" doc:"A kind configuration (kind.x-k8s.io/v1alpha4). If cluster.nodes is more than it lists, workers are added."`
	ConfigFile string         `json:"configFile,omitempty" doc:"A file that holds such a configuration, relative to the scenario file."`
	Images     []string       `json:"images,omitempty" doc:"Image archives (relative to the scenario file) or images of the local Docker engine to load into the nodes."`
}
