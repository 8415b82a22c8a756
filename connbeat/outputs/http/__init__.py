"""The HTTP output: documents by POST, one each as the original did, or in batches."""
