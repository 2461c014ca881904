{
  "target_defaults": {
    "default_configuration": "Release",
    "include_dirs": ["include", "src", "<!(node -p \"require('node-addon-api').include_dir\")"],
    "defines": ["NAPI_VERSION=9", "NAPI_DISABLE_CPP_EXCEPTIONS", "NODE_ADDON_API_DISABLE_DEPRECATED"],
    "cflags!": ["-O2", "-fno-exceptions"],
    "cflags_cc!": ["-O2", "-fno-exceptions", "-fno-rtti", "-std=gnu++17", "-std=gnu++20"],
    "cflags": ["-O3", "-g1", "-fvisibility=hidden", "-Wall", "-Wextra"],
    "cflags_cc": ["-std=c++20"],
    "conditions": [["OS=='linux'", {"cflags": ["-pthread"]}]]
  },
  "targets": [
    {
      "target_name": "parley_core",
      "type": "static_library",
      "sources": ["<!@(node -p \"const fs=require('fs');const p=require('path');fs.readdirSync('src').flatMap(d=>fs.readdirSync(p.join('src',d)).filter(f=>f.endsWith('.cc')).map(f=>'src/'+d+'/'+f)).sort().join(' ')\")"],
      "cflags": ["-fPIC"]
    },
    {
      "target_name": "parley_native",
      "sources": ["binding/addon.cc", "binding/plane_binding.cc", "binding/dtls_binding.cc", "binding/openssl_probe.cc"],
      "dependencies": ["parley_core"]
    },
    {
      "target_name": "parley_load",
      "sources": ["binding/load_client_binding.cc"],
      "dependencies": ["parley_core"]
    }
  ]
}
