"""From the readers' reads to one label a core, and from patients to splits."""
