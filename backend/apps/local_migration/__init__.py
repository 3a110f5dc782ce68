"""Import legacy tickets' files from local storage to Cloudinary, and export files to local storage."""
