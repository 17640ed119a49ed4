"""Where manifests come from: files in a folder, and the Metrc API. Each ends as the command `manifest`."""
