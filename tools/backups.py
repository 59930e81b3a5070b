"""The rows of the programs that encrypt and store dumps of the database, for the table in tools/programs.py."""

from tools.program import Program, ReleaseFile

AGE = Program(
    name="age",
    build_minutes=0.5,
    module="filippo.io/age",
    version_flags="-X main.Version={version}",
    # Without a release: the vendor publishes no checksums.
)
RCLONE = Program(
    # With the S3 backend only. Built with a main.go in our folder, also for the image (images/backup/Dockerfile).
    name="rclone",
    build_minutes=5,
    module="github.com/rclone/rclone",
    version_flags="-X github.com/rclone/rclone/fs.Version={version}",
    packages=(".",),
    release_files=(
        ReleaseFile(
            base="https://downloads.rclone.org/{tag}",
            file="rclone-{tag}-{os}-{arch}.zip",
            contents={"rclone-{tag}-{os}-{arch}/rclone": "rclone"},
            checksums="SHA256SUMS",
            spellings={"darwin": "osx"},
        ),
    ),
)
BACKUPS = (AGE, RCLONE)
"""What an operator needs for a restore, and what the image honeydue-backup contains."""
